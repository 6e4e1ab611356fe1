import { BlockList, isIPv4 } from 'node:net'

/** IPv4 ranges that are no public unicast (IANA special-purpose registry, RFC 6890 and its updates). */
const specialIpv4 = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24',
  '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
]

/** The only IPv6 range that public unicast addresses come from; mapped, translated, local and multicast ones lie outside. */
const globalIpv6 = '2000::/3'

/** Ranges inside it that are special all the same: protocol assignments with Teredo, documentation, 6to4, documentation. */
const specialIpv6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

const special = listOf(specialIpv4, specialIpv6)
const global = listOf([], [globalIpv6])

/** Whether an IP address is public unicast: one that a stranger may make this server call. False for anything else, and for what is no address. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, 'ipv4')
  return global.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

function listOf(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ipv4) list.addSubnet(...partsOf(range), 'ipv4')
  for (const range of ipv6) list.addSubnet(...partsOf(range), 'ipv6')
  return list
}

function partsOf(range: string): [network: string, prefix: number] {
  const [network = '', prefix] = range.split('/')
  return [network, Number(prefix)]
}

import { isIPv6 } from 'node:net'
import type { Socket } from 'node:net'

/** Groups of 16 bits of an IPv6 address, and those of them that name a network; the rest is its owner's to choose. */
const groups = 8
const networkGroups = 4

/** By what limits count a socket's peer: its IPv4 address, or its network of 64 bits, of which one machine has all the addresses. */
export function clientAddressOf({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): string {
  const [, mapped] = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(remoteAddress) ?? []
  if (mapped !== undefined) return mapped
  return isIPv6(remoteAddress) ? networkOf(remoteAddress) : remoteAddress
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('%', 1).join().split('::')
  const start = groupsOf(head)
  const end = groupsOf(tail ?? '')
  const zeros = tail === undefined ? 0 : groups - start.length - end.length
  const all = [...start, ...Array.from({ length: zeros }, () => '0'), ...end]
  return `${all.slice(0, networkGroups).map(group => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

/** An IPv4 address at the end stands for two groups, which are not looked at. */
function groupsOf(part: string): readonly string[] {
  return part === '' ? [] : part.split(':').flatMap(group => group.includes('.') ? ['0', '0'] : [group])
}

import t from 'tap'
import { clientAddressOf } from '../../../server/gateway/client-address.ts'

const cases: Readonly<Record<string, string>> = {
  '203.0.113.7': '203.0.113.7',
  '::ffff:203.0.113.7': '203.0.113.7',
  '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
  '2001:db8:1:2::1': '2001:db8:1:2::/64',
  '2001:0DB8:0001:0002::': '2001:db8:1:2::/64',
  '2001:db8::1': '2001:db8:0:0::/64',
  '::1': '0:0:0:0::/64',
  '::': '0:0:0:0::/64',
  'fe80::1%eth0': 'fe80:0:0:0::/64',
  '64:ff9b::203.0.113.7': '64:ff9b:0:0::/64',
  '1:2:3:4:5:6:203.0.113.7': '1:2:3:4::/64',
}

t.test('limits count an IPv4 address, however it is written, and a network of 64 bits', t => {
  for (const [remoteAddress, expected] of Object.entries(cases)) t.equal(clientAddressOf({ remoteAddress }), expected, remoteAddress)
  t.not(clientAddressOf({ remoteAddress: '2001:db8:1:3::1' }), clientAddressOf({ remoteAddress: '2001:db8:1:2::1' }))
  t.equal(clientAddressOf({ remoteAddress: undefined }), '', 'a socket that is gone')
  t.end()
})

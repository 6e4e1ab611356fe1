import { createHmac, randomBytes } from 'node:crypto'
import t from 'tap'
import { validate, version } from 'uuid'
import { createImageUuids } from '../../../server/tasks/image-uuid.ts'

t.test('an imageUUID is the HMAC-SHA256 of its task\'s name and place, in the shape of a v4 UUID', t => {
  for (const secretLength of [0, 32, 64, 100]) {
    const secret = randomBytes(secretLength)
    const imageUuidOf = createImageUuids(secret)
    for (const taskUUID of ['a7b3a8a4-7f0e-4d5a-9c55-0123456789ab', 'ü'.repeat(10), 'x'.repeat(3000), '']) {
      const uuid = imageUuidOf({ account: 'me', taskUUID }, 3)
      t.equal(validate(uuid) && version(uuid), 4)
      const bytes = createHmac('sha256', secret).update(`me|${taskUUID}|3`).digest()
      bytes[6] = (bytes[6] ?? 0) & 0x0f | 0x40
      bytes[8] = (bytes[8] ?? 0) & 0x3f | 0x80
      t.equal(uuid.replaceAll('-', ''), bytes.toString('hex', 0, 16))
    }
  }
  t.end()
})

t.test('other tasks, places, accounts and secrets give other imageUUIDs', t => {
  const secret = randomBytes(32)
  const imageUuidOf = createImageUuids(secret)
  const made = [
    imageUuidOf({ account: 'a', taskUUID: 't' }, 0), imageUuidOf({ account: 'a', taskUUID: 't' }, 1), imageUuidOf({ account: 'a', taskUUID: 'u' }, 0),
    imageUuidOf({ account: 'b', taskUUID: 't' }, 0), createImageUuids(randomBytes(32))({ account: 'a', taskUUID: 't' }, 0),
  ]
  t.equal(new Set(made).size, made.length)
  t.equal(imageUuidOf({ account: 'a', taskUUID: 't' }, 0), made[0])
  t.end()
})

import { createHmac } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { customAlphabet } from 'nanoid'

const prefix = 'ltd_'
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 32 characters of 62 are 190 random bits. */
const secretLength = 32
/** Enough base62 characters for 32 bits. */
const checksumLength = 6

const randomSecret = customAlphabet(base62, secretLength)

/** Makes a new key of 42 characters; its last six are a checksum, by which scanners tell a leaked key from chance. */
export function createApiKey(secret: string = randomSecret()): string {
  return `${prefix}${secret}${checksum(prefix + secret)}`
}

/** What is kept of a key: an HMAC-SHA256 under the server's pepper, in hexadecimal. A key has 190 random bits, so nothing slower is needed. */
export function digestApiKey(apiKey: string, pepper: Uint8Array): string {
  return createHmac('sha256', pepper).update(apiKey, 'utf8').digest('hex')
}

function checksum(text: string): string {
  let left = crc32(text)
  let digits = ''
  for (let k = 0; k < checksumLength; k++) {
    digits = base62[left % base62.length] + digits
    left = Math.floor(left / base62.length)
  }
  return digits
}

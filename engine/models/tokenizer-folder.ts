import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_VOCABULARY_BYTES, readJsonFile, readTextFile } from './json-file.ts'
import type { JsonObject } from './json-file.ts'
import type { TextEncoderComponent } from '../weights/component-names.ts'
import type { TokenizerFiles } from './loaded-model.ts'
import { ModelError } from './model-error.ts'

const DEFAULT_PAD_TOKEN = '<|endoftext|>'
const DEFAULT_MAX_LENGTH = 77

/** The tokenizer's folder beside each text encoder's. */
export const TOKENIZER_FOLDERS = { text_encoder: 'tokenizer', text_encoder_2: 'tokenizer_2' } as const
type TokenizerFolder = (typeof TOKENIZER_FOLDERS)[TextEncoderComponent]

/**
 * Reads a tokenizer folder of a diffusers folder: `vocab.json` and `merges.txt`, or the one `tokenizer.json` of newer
 * releases. Returns undefined when there is no such folder; throws a ModelError when it cannot be used.
 */
export async function readTokenizerFolder(modelFolder: string, label: TokenizerFolder = 'tokenizer'): Promise<TokenizerFiles | undefined> {
  const folder = join(modelFolder, label)
  const names = await readdir(folder).catch(() => undefined)
  if (!names) return undefined
  const json = (name: string): Promise<JsonObject> =>
    readJsonFile(join(folder, name), modelFolder, `${label}/${name}`, MAX_VOCABULARY_BYTES)
  const config = names.includes('tokenizer_config.json') ? await json('tokenizer_config.json') : {}
  const special = names.includes('special_tokens_map.json') ? await json('special_tokens_map.json') : {}
  const tables = names.includes('vocab.json')
    ? {
        vocabulary: vocabularyOf(await json('vocab.json'), `${label}/vocab.json`),
        merges: parseMerges(await readTextFile(join(folder, 'merges.txt'), modelFolder, `${label}/merges.txt`, MAX_VOCABULARY_BYTES), label),
      }
    : tablesOf(await json('tokenizer.json'), label)
  const padToken = padTokenOf(config, special)
  if (!Object.hasOwn(tables.vocabulary, padToken))
    throw new ModelError(`the tokenizer's padding token ${JSON.stringify(padToken)} is not in its vocabulary`)
  const maxLength = config['model_max_length']
  return {
    ...tables,
    highestId: Object.values(tables.vocabulary).reduce((most, id) => Math.max(most, id), 0),
    padToken,
    modelMaxLength: typeof maxLength === 'number' && Number.isSafeInteger(maxLength) ? maxLength : DEFAULT_MAX_LENGTH,
  }
}

/**
 * The two files may differ: SD 2.1's configuration pads with the end token, its special_tokens_map.json with `!`, and the
 * latter is what the model was trained with. Newer configurations, which list the added tokens, speak for themselves.
 */
function padTokenOf(config: JsonObject, special: JsonObject): string {
  const ordered = config['added_tokens_decoder'] ? [config, special] : [special, config]
  for (const { pad_token: token } of ordered) {
    if (typeof token === 'string') return token
    if (typeof token === 'object' && token !== null && typeof (token as JsonObject)['content'] === 'string')
      return (token as { content: string }).content
  }
  return DEFAULT_PAD_TOKEN
}

function parseMerges(text: string, label: TokenizerFolder): readonly string[] {
  const merges = text
    .split('\n')
    .map(line => line.trimEnd())
    .filter(line => line !== '' && !line.startsWith('#version'))
  return checkedMerges(merges, `${label}/merges.txt`)
}

/** Vocabulary and merges of a `tokenizer.json`; special tokens stand apart there, merges as texts or as pairs. */
function tablesOf(file: JsonObject, label: TokenizerFolder): Pick<TokenizerFiles, 'vocabulary' | 'merges'> {
  const model = file['model'] as JsonObject | undefined
  const merges = model?.['merges']
  if (model?.['type'] !== 'BPE' || !Array.isArray(merges)) throw new ModelError(`${label}/tokenizer.json is not a byte-pair tokenizer`)
  const added = Array.isArray(file['added_tokens']) ? (file['added_tokens'] as JsonObject[]) : []
  const extra = Object.fromEntries(added.map(({ content, id }) => [content, id]))
  const texts = merges.map(merge => (Array.isArray(merge) ? merge.join(' ') : String(merge)))
  return {
    vocabulary: vocabularyOf({ ...(model['vocab'] as JsonObject | undefined), ...extra }, `${label}/tokenizer.json`),
    merges: checkedMerges(texts, `${label}/tokenizer.json`),
  }
}

function vocabularyOf(value: JsonObject, label: string): Readonly<Record<string, number>> {
  const ids = Object.values(value)
  if (ids.length === 0 || !ids.every(id => Number.isSafeInteger(id) && (id as number) >= 0))
    throw new ModelError(`${label} is not a vocabulary: a token without an id`)
  return value as Readonly<Record<string, number>>
}

function checkedMerges(merges: readonly string[], label: string): readonly string[] {
  const bad = merges.find(merge => merge.split(' ').length !== 2)
  if (bad !== undefined) throw new ModelError(`${label} has the merge ${JSON.stringify(bad)}, which is not two parts`)
  return merges
}

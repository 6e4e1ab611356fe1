import { Ajv } from 'ajv'
import standaloneCode from 'ajv/dist/standalone/index.js'
import { annotations, type SchemaNode } from './schema-node.ts'

// Keywords that a hostile value can make slow, or that can make a pattern from data.
const banned = ['uniqueItems', '$data', 'patternProperties']

/** Source of an ES module that exports one validator for each entry, under its name. */
export function emitValidators(schemas: Readonly<Record<string, SchemaNode>>): string {
  const text = JSON.stringify(schemas)
  for (const keyword of banned) if (text.includes(`"${keyword}"`)) throw new Error(`schemas must not use ${keyword}`)
  const ajv = new Ajv({ allErrors: false, useDefaults: true, strict: true, $data: false, code: { source: true, esm: true } })
  ajv.addVocabulary([...annotations])
  const refs: Record<string, string> = {}
  for (const [name, schema] of Object.entries(schemas)) {
    ajv.addSchema({ ...schema, $id: `${name}.json` })
    refs[name] = `${name}.json`
  }
  const code = (standaloneCode as unknown as { default: typeof standaloneCode.default }).default(ajv, refs)
  return importsForRequires(code)
}

// ajv writes `require` for its helpers in ES modules too.
function importsForRequires(code: string): string {
  const imports = new Map<string, string>()
  const body = code.replace(/require\("([^"]+)"\)/g, (_match, path: string) => {
    const name = imports.get(path) ?? `helper${imports.size}`
    imports.set(path, name)
    return name
  })
  const lines = [...imports].map(([path, name]) => `import ${name} from '${path}.js'`)
  return [...lines, body.replace(/^"use strict";/, '')].join('\n')
}

import { compile } from 'json-schema-to-typescript'
import { afterDefaults, mapChildren, type SchemaNode } from './schema-node.ts'

/** TypeScript interfaces of a schema as it is after validation: read-only, defaults filled in. */
export async function emitTypes(name: string, schema: SchemaNode): Promise<string> {
  const closed = closeObjects(withoutIds(afterDefaults(schema)))
  const source = await compile(closed as Parameters<typeof compile>[0], name, {
    bannerComment: '',
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    style: { singleQuote: true, semi: false, printWidth: 140 },
  })
  return source
    .replace(/^(\s+)([A-Za-z0-9]+\??|\[k: string\]): /gm, '$1readonly $2: ')
    .replace(/: (\([^()]*\)|[A-Za-z]+)\[\]$/gm, ': readonly $1[]')
}

// The generator would name each property's type after an $id it meets on the way.
function withoutIds(node: SchemaNode): SchemaNode {
  const { $id: _id, ...rest } = node
  return rest
}

function closeObjects(node: SchemaNode): SchemaNode {
  return { ...mapChildren(node, closeObjects), ...(node.properties && { additionalProperties: node.additionalProperties ?? false }) }
}

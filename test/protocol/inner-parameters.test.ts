import t from 'tap'
import { describeViolation } from '../../protocol/describe-violation.ts'
import type { ParameterTable } from '../../protocol/parameter-table.ts'
import { emitParameters } from '../../schemas/emit-parameters.ts'
import { emitTypes } from '../../schemas/emit-types.ts'
import { protocolTables } from '../../schemas/protocol-tables.ts'
import { afterDefaults, resolveRefs } from '../../schemas/schema-node.ts'
import type { SchemaNode } from '../../schemas/schema-node.ts'

const COMMON: SchemaNode = { definitions: { share: { type: 'number', minimum: 0, maximum: 1 } } }
const TASK = resolveRefs({
  title: 'Task',
  type: 'object',
  properties: {
    model: {
      type: 'array',
      description: 'Many.',
      items: {
        title: 'Part', type: 'object', required: ['name'],
        properties: { name: { type: 'string', maxLength: 9 }, weight: { $ref: 'common.json#/definitions/share', default: 1, description: 'How much.' } },
      },
    },
  },
}, COMMON)
const TABLE: ParameterTable = {
  parameters: { model: { type: 'array', parameters: { name: { type: 'string', maxLength: 9 }, weight: { type: 'number', minimum: 0, maximum: 1, default: 1 } } } },
  unsupported: [],
}

t.test('a wrong value inside a list is named by its place', async t => {
  const values = { model: [{ name: 'a' }, { weight: 3 }] }
  const describe = (instancePath: string, keyword: string, params = {}) => describeViolation({ instancePath, keyword, params }, TABLE, values, {})
  t.match(describe('/model/1/weight', 'maximum'), {
    code: 'invalidModel', parameter: 'model[1].weight', min: 0, max: 1, default: 1, message: 'model[1].weight must be a number from 0 to 1, got 3.',
  })
  t.match(describe('/model/1', 'required', { missingProperty: 'name' }), {
    code: 'invalidModel', parameter: 'model[1].name', message: 'model[1].name must be a text of 0 to 9 characters, got nothing.',
  })
  t.match(describe('/model/0', 'type'), { code: 'invalidModel', parameter: 'model[0]' })
  t.throws(() => describe('/model/0/colour', 'type'), /which the table does not have/)
})

t.test('the tables, types and pages of a schema hold what its lists hold', async t => {
  const rules = emitParameters({ task: { spellings: ['task'], schema: 'task.json' } }, { task: TASK })
  const start = rules.indexOf('  task: ') + '  task: '.length
  t.same(JSON.parse(rules.slice(start, rules.lastIndexOf(',\n} satisfies'))), TABLE)
  const types = await emitTypes('Task', TASK)
  t.match(types, /readonly model\?: readonly Part\[\]/)
  t.match(types, /interface Part {[^}]*readonly name: string[^}]*readonly weight: number/)
  t.same(afterDefaults(TASK).properties?.model?.items?.required, ['name', 'weight'])
  const page = protocolTables('<!-- generated: task -->\n<!-- end -->', {}, { task: TASK }, {})
  t.match(page, '| `model` | list of objects |  |  | Many. |')
  t.match(page, '| `model[].name` | string | 0 to 9 characters | required |  |')
  t.match(page, '| `model[].weight` | number | 0 to 1 | `1` | How much. |')
})

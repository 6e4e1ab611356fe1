import type { EngineError } from '../../engine/index.ts'
import { wireParameterOf } from './wire-parameters.ts'
import type { WireParameter } from './wire-parameters.ts'

/** What is wrong with a parameter, under the name that clients know. */
export type ParameterError = WireParameter & { readonly message: string }

/** The engine's word on a parameter: its message starts with its own name of it; undefined for one that clients do not have. */
export function parameterError({ parameter = '', message }: EngineError): ParameterError | undefined {
  const known = wireParameterOf(parameter)
  if (!known) return undefined
  const named = message.startsWith(`${parameter}: `) ? known.parameter + message.slice(parameter.length) : message
  return { ...known, message: sentence(named) }
}

/** A message as clients read it. */
export function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

/** A piece of a prompt as compel's grammar finds it, before weights are multiplied through. */
export type CompelNode =
  | { readonly type: 'fragment'; readonly text: string }
  | { readonly type: 'attention'; readonly weight: number; readonly children: readonly CompelNode[] }
  /** An operator that cannot be followed here, by its name. */
  | { readonly type: 'refused'; readonly operator: string }

/** A whole prompt: parts that stand one after the other in the context. */
export interface CompelTree {
  /** `.and()` or the one part of a prompt without it; a part has one prompt, or the several of a `.blend()`. */
  readonly parts: readonly {
    readonly prompts: readonly (readonly CompelNode[])[]
    /** Present for `.blend()`. */
    readonly blend?: { readonly weights: readonly number[]; readonly isNormalized: boolean }
    readonly weight: number
  }[]
}

/** A fragment of a prompt; brackets and quotes that were escaped are meant as they are. */
export function fragment(text: string): CompelNode {
  return { type: 'fragment', text: unescape(text) }
}

/** As the reference does it: other escapes keep their backslash. */
export function unescape(text: string): string {
  return text.replaceAll('\\(', '(').replaceAll('\\)', ')').replaceAll('\\"', '"')
}

import { LAST_STATES, PENULTIMATE_STATES, PENULTIMATE_STATES_AND_TEXT } from '../architectures/clip-text.ts'
import type { ClipTextOutputs } from '../architectures/clip-text.ts'
import type { TextEncoderComponent } from '../weights/component-names.ts'
import type { ModelFamily } from './model-spec.ts'

/** The text encoders of each family, and what it takes of each. */
export const FAMILY_TEXT_ENCODERS: Readonly<Record<ModelFamily, Readonly<Partial<Record<TextEncoderComponent, ClipTextOutputs>>>>> = {
  sd1: { text_encoder: LAST_STATES },
  sd2: { text_encoder: LAST_STATES },
  sdxl: { text_encoder: PENULTIMATE_STATES, text_encoder_2: PENULTIMATE_STATES_AND_TEXT },
  sdxlRefiner: { text_encoder_2: PENULTIMATE_STATES_AND_TEXT },
}

import type { DecodedRequest } from '../core/generation-request.ts'

/** Whether classifier-free guidance is on: at a scale of 1 or less the prompt's own prediction is taken as it is. */
export function hasGuidance(request: DecodedRequest): boolean {
  return request.guidanceScale > 1
}

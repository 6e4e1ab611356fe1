export { type Air, parseAir } from './air.ts'
export { CloseCode } from './close-codes.ts'
export { createError, type ErrorDetails } from './create-error.ts'
export { encodeAuthenticationReply, encodeData, encodeErrors, encodePong } from './encode-frame.ts'
export type { ErrorBody } from './error-body.ts'
export { type ErrorCode, errorCodes, httpStatusOf, isErrorCode, isRetryable } from './error-codes.ts'
export type { Acknowledgement, AuthenticationReply, ErrorItem, ImageResult, ImageUploadResult, Pong, ProcessingItem } from './generated/replies.ts'
export { findApiKey } from './find-api-key.ts'
export { parseFrame, type ParseFrameOptions } from './parse-frame.ts'
export type {
  AuthenticationRequest, ControlNetInput, GetResponseRequest, ImageInferenceRequest, IpAdapterInput, LoraInput, PingRequest,
} from './generated/requests.ts'
export type { ParsedElement, Task, TaskOf, TaskType } from './task.ts'

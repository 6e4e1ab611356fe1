import type { GenerationRequest } from './generation-request.ts'

/** The fields of a request that hold pictures. */
export type ImageFields<Image> = Pick<GenerationRequest<Image>, 'initImage' | 'mask'>

/** A request whose pictures are given in another way. */
export type WithImages<Request, Image> = Omit<Request, keyof ImageFields<Image>> & ImageFields<Image>

/**
 * Gives each picture of a request in another way: a reference becomes a file, a file becomes pixels.
 * @param map gets the picture and the path of its field, such as `initImage`
 */
export async function mapImages<From, To, Request extends ImageFields<From>>(
  request: Request,
  map: (image: From, parameter: string) => Promise<To>,
): Promise<WithImages<Request, To>> {
  const { initImage, mask, ...rest } = request
  return {
    ...rest,
    ...(initImage !== undefined && { initImage: await map(initImage, 'initImage') }),
    ...(mask !== undefined && { mask: await map(mask, 'mask') }),
  }
}

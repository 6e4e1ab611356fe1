import type { ControlNetUse, GenerationRequest } from './generation-request.ts'

/** The fields of a request that hold pictures. */
export type ImageFields<Image> = Pick<GenerationRequest<Image>, 'initImage' | 'mask' | 'controlNets'>

/** A request whose pictures are given in another way. */
export type WithImages<Request, Image> = Omit<Request, keyof ImageFields<Image>> & ImageFields<Image>

/**
 * Gives each picture of a request in another way: a reference becomes a file, a file becomes pixels.
 * @param map gets the picture and the path of its field, such as `initImage` or `controlNets[0].guideImage`
 */
export async function mapImages<From, To, Request extends ImageFields<From>>(
  request: Request,
  map: ImageMap<From, To>,
): Promise<WithImages<Request, To>> {
  const { initImage, mask, controlNets, ...rest } = request
  return {
    ...rest,
    ...(initImage !== undefined && { initImage: await map(initImage, 'initImage') }),
    ...(mask !== undefined && { mask: await map(mask, 'mask') }),
    ...(controlNets !== undefined && { controlNets: await mapEach(controlNets, (use, index) => mapGuide(use, index, map)) }),
  }
}

type ImageMap<From, To> = (image: From, parameter: string) => Promise<To>

async function mapGuide<From, To>({ guideImage, ...use }: ControlNetUse<From>, index: number, map: ImageMap<From, To>): Promise<ControlNetUse<To>> {
  return { ...use, guideImage: await map(guideImage, `controlNets[${index}].guideImage`) }
}

/** One after the other, so that a picture that cannot be used is the first of its kind that is told. */
async function mapEach<From, To>(items: readonly From[], map: (item: From, index: number) => Promise<To>): Promise<readonly To[]> {
  const mapped: To[] = []
  for (const [index, item] of items.entries()) mapped.push(await map(item, index))
  return mapped
}

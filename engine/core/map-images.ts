import type { GenerationRequest } from './generation-request.ts'

/** The fields of a request that hold pictures. */
export type ImageFields<Image> = Pick<GenerationRequest<Image>, 'initImage' | 'mask' | 'controlNets' | 'ipAdapters'>

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
  const { initImage, mask, controlNets, ipAdapters, ...rest } = request
  return {
    ...rest,
    ...(initImage !== undefined && { initImage: await map(initImage, 'initImage') }),
    ...(mask !== undefined && { mask: await map(mask, 'mask') }),
    ...(controlNets !== undefined && { controlNets: await mapGuides(controlNets, 'controlNets', map) }),
    ...(ipAdapters !== undefined && { ipAdapters: await mapGuides(ipAdapters, 'ipAdapters', map) }),
  }
}

/** The pictures of a request. */
export function listImages<Image>({ initImage, mask, controlNets, ipAdapters }: ImageFields<Image>): readonly Image[] {
  if (initImage === undefined && mask === undefined && !controlNets && !ipAdapters) return []
  const guides = [...controlNets ?? [], ...ipAdapters ?? []].map(({ guideImage }) => guideImage)
  return [initImage, mask, ...guides].filter(image => image !== undefined)
}

type ImageMap<From, To> = (image: From, parameter: string) => Promise<To>

/** One after the other, so that a picture that cannot be used is the first of its kind that is told. */
async function mapGuides<From, To, Use extends { readonly guideImage: From }>(
  uses: readonly Use[],
  field: string,
  map: ImageMap<From, To>,
): Promise<readonly (Omit<Use, 'guideImage'> & { readonly guideImage: To })[]> {
  const mapped: (Omit<Use, 'guideImage'> & { readonly guideImage: To })[] = []
  for (const [index, use] of uses.entries()) mapped.push({ ...use, guideImage: await map(use.guideImage, `${field}[${index}].guideImage`) })
  return mapped
}

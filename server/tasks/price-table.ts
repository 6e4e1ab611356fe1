/** What a price depends on. */
export interface PricedPicture {
  readonly model: string
  readonly width: number
  readonly height: number
  readonly totalSteps: number
}

/** One model's prices, or everybody's; in the currency the operator calculates in. */
export interface Price {
  readonly perImage: number
  /** For each million pixels of each step. */
  readonly perMegapixelStep: number
}

/** The operator's price table. */
export interface PriceTable {
  /** Price of one picture. */
  priceOf(picture: PricedPicture): number
}

/** A table of one price for all models and others for some, by AIR. */
export function createPriceTable(standard: Price, byModel: Readonly<Record<string, Price>> = {}): PriceTable {
  const prices = new Map(Object.entries(byModel).map(([air, price]) => [air.toLowerCase(), price]))
  return {
    priceOf({ model, width, height, totalSteps }) {
      const { perImage, perMegapixelStep } = prices.get(model.toLowerCase()) ?? standard
      const price = perImage + perMegapixelStep * (width * height / 1e6) * totalSteps
      return Math.round(price * 1e8) / 1e8
    },
  }
}

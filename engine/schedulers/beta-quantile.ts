/** Lanczos coefficients of log Γ for g = 7 and nine terms, good to 1e-15. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const
const LANCZOS_G = 7
const MOST_TERMS = 500
const TINY = 1e-300

/**
 * The value below which a share `probability` of a beta distribution lies: the inverse of the regularised incomplete
 * beta function, to about 1e-12 relative.
 */
export function betaQuantile(probability: number, a: number, b: number): number {
  if (probability <= 0) return 0
  if (probability >= 1) return 1
  // Near 1 the answer is nearly 1 and would lose digits: ask for the other tail there.
  if (probability > regularisedBeta(0.5, a, b)) return 1 - lowerQuantile(1 - probability, b, a)
  return lowerQuantile(probability, a, b)
}

/** Newton's method on log x, kept inside a shrinking bracket; the answer is at most one half. */
function lowerQuantile(probability: number, a: number, b: number): number {
  let low = Math.log(TINY)
  let high = Math.log(0.5) + 1e-9
  // The integrand is x^(a-1) near 0, so there I(x) is x^a / (a B(a, b)).
  let logX = Math.min((Math.log(probability) + Math.log(a) + logBeta(a, b)) / a, high)
  for (let i = 0; i < 100; i++) {
    const x = Math.exp(logX)
    const error = regularisedBeta(x, a, b) - probability
    if (error > 0) high = logX
    else low = logX
    const slope = Math.exp(a * logX + (b - 1) * Math.log1p(-x) - logBeta(a, b))
    const newton = logX - error / slope
    const next = newton > low && newton < high ? newton : (low + high) / 2
    if (Math.abs(next - logX) <= 1e-15 * Math.abs(logX)) return Math.exp(next)
    logX = next
  }
  return Math.exp(logX)
}

/** The regularised incomplete beta function I_x(a, b). */
function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b))
  // The continued fraction converges fast below this point, and the symmetry leads there.
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(x, a, b)) / a
  return 1 - (front * betaFraction(1 - x, b, a)) / b
}

/** Lentz's method on the continued fraction of DLMF 8.17.22. */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1
  let d = 1 / notZero(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= MOST_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / notZero(1 + even * d)
    c = notZero(1 + even / c)
    fraction *= c * d
    d = 1 / notZero(1 + odd * d)
    c = notZero(1 + odd / c)
    fraction *= c * d
    if (Math.abs(c * d - 1) < 1e-16) break
  }
  return fraction
}

function notZero(x: number): number {
  return Math.abs(x) < TINY ? TINY : x
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b)
}

/** log Γ(x) for x > 0 (Lanczos 1964). */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const shifted = x - 1
  const base = shifted + LANCZOS_G + 0.5
  const series = LANCZOS.reduce((sum, coefficient, i) => (i === 0 ? coefficient : sum + coefficient / (shifted + i)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(series)
}

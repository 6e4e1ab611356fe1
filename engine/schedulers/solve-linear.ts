/** Solves a small square system by Gaussian elimination with row pivoting. */
export function solveLinear(rows: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = rows.length
  const work = rows.map((row, i) => [...row, right[i]])
  for (let column = 0; column < size; column++) {
    let pivot = column
    for (let row = column + 1; row < size; row++) if (Math.abs(work[row][column]) > Math.abs(work[pivot][column])) pivot = row
    const pivotRow = work[pivot]
    work[pivot] = work[column]
    work[column] = pivotRow
    for (let row = 0; row < size; row++) {
      if (row === column) continue
      const factor = work[row][column] / pivotRow[column]
      for (let k = column; k <= size; k++) work[row][k] -= factor * pivotRow[k]
    }
  }
  return work.map((row, i) => row[size] / row[i])
}

/** What is ordered. */
export interface Order {
  readonly id: number;
  readonly total: number;
}

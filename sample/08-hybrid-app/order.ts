export interface Order {
  readonly number: number;
  readonly items: readonly string[];
}

export interface Order {
  readonly number: number;
  readonly item: string;
}

/** The topics of this application and what is published to them. */
export interface ShopEvents {
  orders: Order;
}

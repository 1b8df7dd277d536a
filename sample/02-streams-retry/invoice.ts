export interface Invoice {
  readonly number: number;
  readonly amount: number;
}

/** The topics of this application and what is published to them. */
export interface BillingEvents {
  invoices: Invoice;
}

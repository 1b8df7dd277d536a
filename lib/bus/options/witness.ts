import type { Middleware } from '../../middleware/middleware.js';
import type { PublishOptions, PublishReceipt } from './bus-options.js';

/** A subscription, as a {@link BusWitness} is told of it. */
export interface WitnessedSubscription {
  /** The topic or topic pattern. */
  readonly topic: string;
  /** The handler's name. */
  readonly name: string;
  /** It belongs to the bus itself. */
  readonly own: boolean;
}

/** Sees what comes of one request. */
export interface RequestWitness {
  replied(reply: unknown): void;
  failed(error: unknown): void;
}

/** Somebody who sees what a bus publishes and handles: a test kit. It may fail what it sees. */
export interface BusWitness {
  /** Called before a publish; the result is called when it has settled, without a receipt where it failed. */
  publishes(topic: string, payload: unknown, options: PublishOptions): (receipt?: PublishReceipt) => void;
  /** Called before a request; the result is called for each reply, and with the error that it failed with. */
  requests(topic: string, payload: unknown): RequestWitness;
  /** Stands around a handler, within the time limit and outside all other middleware. */
  around(subscription: WitnessedSubscription): Middleware;
}

/** Where the witness of a bus is, once there is one. */
export interface WitnessStand {
  witness?: BusWitness;
}

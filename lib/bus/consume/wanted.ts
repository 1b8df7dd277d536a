import type { Definition } from '../../contract/definition.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { HandlerSubscribeOptions, SubscribeOptions } from '../options/bus-options.js';
import type { ExpectedSubscription } from '../options/expected-subscriptions.js';
import type { DispatchPolicy } from './dispatch-policy.js';

/** Options of a subscription to one of the bus's own topics. */
export interface OwnSubscribeOptions extends SubscribeOptions {
  /** Traces what callers have sent there, under this name. @default nothing of it is traced */
  traced?: { readonly as: string; readonly wanted: (context: DiscoMessageContext) => boolean };
}

/** A subscription that was asked for: checked, complete, and counted among those that others have to agree with. */
export interface Wanted extends ExpectedSubscription {
  /** What metrics and logs call it. */
  readonly label: string;
  /** The policy as the dispatcher and the settlement need it. */
  readonly dispatch: DispatchPolicy;
  readonly options: HandlerSubscribeOptions;
  /** What it was subscribed with, where that is a definition. */
  readonly definition?: Definition;
  /** Of one of the bus's own topics: what of it is traced, and as what. */
  readonly own?: { readonly traced: OwnSubscribeOptions['traced'] };
}

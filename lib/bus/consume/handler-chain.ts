import { inAttempt } from '../../middleware/attempt-scope.js';
import { compose, type Handler, type Middleware } from '../../middleware/middleware.js';
import { recover } from '../../middleware/recover.js';
import { retry } from '../../middleware/retry.js';
import { timeout } from '../../middleware/timeout.js';
import { validate } from '../../middleware/validate.js';
import { incomingCheck } from '../contract/incoming-check.js';
import { beginning } from '../delivery-context.js';
import type { MessageHandler } from '../options/bus-options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { type BatchHandler, batched, resolveBatch } from './batch.js';
import type { HandlingDeps } from './delivery-handling.js';
import { orderedByKey } from './key-order.js';
import { heldBack } from './start-gate.js';
import type { Wanted } from './wanted.js';

/** What the chain around a handler is made of. */
export type ChainParts = Pick<
  ResolvedOptions,
  'clock' | 'metrics' | 'middleware' | 'contracts' | 'validation' | 'stand'
> &
  Pick<HandlingDeps, 'responder' | 'gate' | 'log' | 'tracing'>;

/**
 * The handler of a subscription within its middleware, built once: the replies to requests outermost, then recover, then the
 * trace of the attempt, the time limit, what the contract says of the payload, the bus's middleware, the subscription's.
 */
export function handlerChain(
  {
    clock,
    metrics,
    middleware: shared,
    contracts,
    validation,
    stand,
    responder,
    gate,
    log,
    tracing,
  }: ChainParts,
  { topic, name, label, policy, own, definition, options: { middleware = [], schema, batch } }: Wanted,
  handler: MessageHandler | BatchHandler,
): Handler {
  const answering = responder.middleware((reason) => {
    metrics.topic(label).dropped(reason);
    log.dropped(reason);
  });
  const { attempts, backoff, concurrency } = policy;
  const chain: Middleware[] = [answering, recover];
  if (policy.ordered) chain.push(orderedByKey(concurrency));
  if (policy.delivery === 'at-least-once') chain.push(beginning);
  if (policy.ordered) chain.push(retry({ attempts, backoff }, clock), heldBack(gate));
  if (tracing && !batch) chain.push(tracing.attempts);
  chain.push(timeout(policy.timeoutMs, clock, log), inAttempt);
  const { witness } = stand;
  if (witness) chain.push(witness.around({ topic, name, own: own !== undefined }));
  const canWait = policy.delivery === 'at-least-once' && !policy.ordered;
  if (!own) chain.push(incomingCheck({ contracts, validation, definition, canWait }));
  chain.push(...shared, ...middleware);
  if (schema) chain.push(validate(schema));
  if (!batch)
    return compose(chain, (context) => (handler as MessageHandler)(context.message.payload, context));
  const whole = tracing ? tracing.batches(handler as BatchHandler) : (handler as BatchHandler);
  return compose(chain, batched(whole, resolveBatch(batch), clock, gate));
}

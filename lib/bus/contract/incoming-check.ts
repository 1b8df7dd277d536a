import { type Definition, newerOf } from '../../contract/definition.js';
import { checksAt, type ValidationOptions } from '../../contract/definition-options.js';
import { VERSION_HEADER, versionOf } from '../../contract/version-header.js';
import { PayloadInvalidError, UnrecoverableError, VersionUnknownError } from '../../errors/handler.errors.js';
import type { Message } from '../../message/message.js';
import { DerivedContext } from '../../middleware/derived-context.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import { type Handler, isThenable, type Middleware } from '../../middleware/middleware.js';
import { after, parsed, payloadRefusal } from '../../middleware/schema-check.js';
import type { KnownContracts } from './known-contracts.js';

/** What {@link incomingCheck} goes by. */
export interface IncomingOptions {
  readonly contracts: KnownContracts;
  readonly validation: ValidationOptions;
  /** What the handler was subscribed with; otherwise the newest version known of a message's topic. */
  readonly definition: Definition | undefined;
  /** Whether a message can wait for a member that knows more. */
  readonly canWait: boolean;
}

/**
 * Hands on what the schema of a message's topic makes of its payload, upgraded from the version it was published in. Messages
 * of topics that nothing is known of pass through.
 */
export function incomingCheck({ contracts, validation, definition, canWait }: IncomingOptions): Middleware {
  return (next) => (context) => {
    if (contracts.isEmpty) return next(context);
    const known = definition?.name === context.topic ? definition : contracts.get(context.topic);
    if (known === undefined) return next(context);
    const payload = checkIncoming(known, context.message, validation, canWait);
    return after(payload, (value) => handOn(next, context, value));
  };
}

/**
 * What the schema of `known` makes of a payload, upgraded from the version that the headers say; a promise of it where a schema
 * or an upgrade takes its time. Throws PayloadInvalidError, VersionUnknownError or UnrecoverableError.
 */
export function checkIncoming(
  known: Definition,
  { headers, payload }: Pick<Message, 'headers' | 'payload'>,
  validation: ValidationOptions,
  canWait = false,
): unknown {
  const version = versionOf(headers);
  if (version === undefined) {
    throw new PayloadInvalidError([`the header ${VERSION_HEADER} is no version`], { topic: known.name });
  }
  if (version > known.versionNumber) throw unknown(known, version, canWait);
  return upToDate(known, version, payload, validation);
}

function handOn(next: Handler, context: DiscoMessageContext, payload: unknown): unknown {
  if (payload === context.message.payload) return next(context);
  return next(new DerivedContext(context, { ...context.message, payload }));
}

function unknown(known: Definition, version: number, canWait: boolean): Error {
  const waits = canWait && newerOf(known) === 'wait';
  return new VersionUnknownError(known.name, version, { known: known.versionNumber, waits });
}

/** From `version` on: checked by its schema, upgraded, checked by the next one's, and so on. */
function upToDate(
  known: Definition,
  version: number,
  payload: unknown,
  validation: ValidationOptions,
): unknown {
  const taken =
    known.before === undefined || version === known.versionNumber
      ? payload
      : after(upToDate(known.before.definition, version, payload, validation), (older) =>
          upgraded(known, older),
        );
  const { schema } = known;
  if (schema === undefined || !checksAt('handle', known.parts, validation)) return taken;
  return after(taken, (value) => parsed(schema, value, payloadRefusal(known.name)));
}

function upgraded({ name, versionNumber, before }: Definition, older: unknown): unknown {
  const failed = (error: unknown) =>
    new UnrecoverableError(`"${name}" could not be upgraded to version ${versionNumber}`, { cause: error });
  try {
    const value = before!.upgrade(older);
    if (!isThenable(value)) return value;
    return value.then(undefined, (error) => {
      throw failed(error);
    });
  } catch (error) {
    throw failed(error);
  }
}

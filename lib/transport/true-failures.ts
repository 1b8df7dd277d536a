import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { DiscoBusContext } from './disco-bus.context.js';
import { notePipeFailures } from './pipe-failures.js';

/** The handler that stands before Nest's filters and notes what they are given, made once for each copy of Nest. */
const noting = new WeakSet<object>();

/**
 * From now on a context of this transport knows what its handler threw. Nest hands a strategy only what its filters have made
 * of it, by default an "Internal server error" for everything, so the one method that calls the filters is wrapped. So
 * is the one that runs the pipes.
 */
export function noteTrueFailures(): void {
  notePipeFailures();
  const { prototype } = RpcExceptionsHandler;
  const { handle } = prototype;
  if (noting.has(handle)) return;
  const notingHandle: typeof handle = function (this: RpcExceptionsHandler, exception, host, ...rest) {
    DiscoBusContext.noteFailure(host.getArgByIndex(1), exception);
    return handle.call(this, exception, host, ...rest);
  };
  noting.add(notingHandle);
  prototype.handle = notingHandle;
}

import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { DiscoBusContext } from './disco-bus.context.js';
import { notePipeFailures } from './pipe-failures.js';
import { wrapOnce } from './wrap-once.js';

/**
 * From now on a context of this transport knows what its handler threw. Nest hands a strategy only what its filters have made
 * of it, by default an "Internal server error" for everything, so the one method that calls the filters is wrapped. So
 * is the one that runs the pipes.
 */
export function noteTrueFailures(): void {
  notePipeFailures();
  wrapOnce(RpcExceptionsHandler.prototype, 'handle', (handle) => {
    const notingHandle: typeof handle = function (this: RpcExceptionsHandler, exception, host, ...rest) {
      DiscoBusContext.noteFailure(host.getArgByIndex(1), exception);
      return handle.call(this, exception, host, ...rest);
    };
    return notingHandle;
  });
}

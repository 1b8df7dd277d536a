import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { catchError, type Observable } from 'rxjs';
import { type DiscoBusError, isDiscoBusError } from '../../errors/disco-bus-error.js';
import { busHttpException, LOCK_IS_BUSY } from '../bus-failure.interceptor.js';

/**
 * Says a LockNotAcquiredError in the words of the protocol: over HTTP as an HttpException of status 423, over RPC as an
 * RpcException with the error's code, so that filters, global ones included, see what they know. Neither tells the key.
 * Elsewhere the error stays as it is. Methods with `@WithLock` have it; use it where you acquire locks by hand.
 */
@Injectable()
export class LockBusyInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const type = context.getType();
    if (type !== 'http' && type !== 'rpc') return next.handle();
    return next.handle().pipe(
      catchError(async (error: unknown) => {
        if (!isDiscoBusError(error, 'DISCO_LOCK_NOT_ACQUIRED')) throw error;
        throw type === 'http' ? (busHttpException(error) ?? error) : await asRpc(error);
      }),
    );
  }
}

/** The one that `@WithLock` binds to its method. */
export const lockBusyInterceptor = new LockBusyInterceptor();

/** The microservices package is there when somebody calls by RPC, and is not needed before. */
async function asRpc(error: DiscoBusError): Promise<Error> {
  const { rpcException } = await import('../../transport/rpc-exception.js');
  const { code, retryable } = error;
  return rpcException({ status: 'error', code, retryable, message: LOCK_IS_BUSY }, error);
}

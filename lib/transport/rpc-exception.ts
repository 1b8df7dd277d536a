import { RpcException } from '@nestjs/microservices';

/** An RpcException that answers the caller with `error`. */
export function rpcException(error: object, cause: unknown): RpcException {
  return Object.assign(new RpcException(error), { cause });
}

import type { ArgumentsHost, ExecutionContext, Type } from '@nestjs/common';
import { NotHttpError } from '../../errors/filter-fault.js';

/** The type that `context.getType()` answers in guards, interceptors and filters of a handler. */
export const DISCO_CONTEXT_TYPE = 'disco';

/**
 * What guards, interceptors and filters of a handler are told: the arguments are `[payload, context]`, which `switchToRpc()`
 * names as such. There is no HTTP request or response, and asking for one is a {@link NotHttpError}.
 */
export class HandlerArgumentsHost implements ArgumentsHost {
  constructor(protected readonly args: any[]) {}

  getArgs<T extends any[] = any[]>(): T {
    return this.args as T;
  }

  getArgByIndex<T = any>(index: number): T {
    return this.args[index];
  }

  getType<Type extends string>(): Type {
    return DISCO_CONTEXT_TYPE as Type;
  }

  switchToRpc() {
    return { getData: <T>(): T => this.args[0], getContext: <T>(): T => this.args[1] };
  }

  switchToHttp() {
    return {
      getRequest: (): never => refuse('switchToHttp().getRequest()'),
      getResponse: (): never => refuse('switchToHttp().getResponse()'),
      getNext: (): never => refuse('switchToHttp().getNext()'),
    };
  }

  switchToWs() {
    return {
      getClient: (): never => refuse('switchToWs().getClient()'),
      getData: <T>(): T => this.args[0],
      getPattern: (): string => this.args[1].topic,
    };
  }
}

/** The same with the class and the method, for guards and interceptors. */
export class HandlerExecutionContext extends HandlerArgumentsHost implements ExecutionContext {
  constructor(
    args: any[],
    private readonly type: Function,
    private readonly method: Function,
  ) {
    super(args);
  }

  getClass<T = any>(): Type<T> {
    return this.type as Type<T>;
  }

  getHandler(): Function {
    return this.method;
  }

  /** Nest says the type of each context once more. */
  setType(): void {}
}

function refuse(asked: string): never {
  throw new NotHttpError(asked);
}

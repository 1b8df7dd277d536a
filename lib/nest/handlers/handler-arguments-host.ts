import type { ArgumentsHost } from '@nestjs/common';

/** The type that `context.getType()` answers in guards, interceptors and filters of a handler. */
export const DISCO_CONTEXT_TYPE = 'disco';

/** What a filter is told: the arguments are `[payload, context]`, which `switchToRpc()` names as such. */
export class HandlerArgumentsHost implements ArgumentsHost {
  constructor(private readonly args: any[]) {}

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
      getRequest: <T>(): T => this.args[0],
      getResponse: <T>(): T => this.args[1],
      getNext: <T>(): T => this.args[2],
    };
  }

  switchToWs() {
    return {
      getClient: <T>(): T => this.args[0],
      getData: <T>(): T => this.args[1],
      getPattern: (): string => this.args[this.args.length - 1],
    };
  }
}

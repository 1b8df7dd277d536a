import 'reflect-metadata';
import type { ExceptionFilter, Type } from '@nestjs/common';
import type { ApplicationConfig, ContextId } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { HandlerArgumentsHost } from './handler-arguments-host.js';
import type { HandlerMethod, InstanceWrapper } from './handler-explorer.js';

/** Nest's metadata: the filters of a class or method, and what a filter catches. */
const FILTERS = '__exceptionFilters__';
const CAUGHT = '__filterCatchExceptions__';

/** Turns a failure into what the filters make of it. */
export type FailureFilter = (error: unknown, args: unknown[]) => Promise<unknown>;

/**
 * The exception filters of a method, the method's own first, then its class's, then global ones; `undefined` without any.
 * Nest's own for external contexts take a filter that returns nothing for one that did not handle; here, as in HTTP and
 * microservices, only throwing (or an Observable that fails) says so.
 */
export function failureFilter(
  config: ApplicationConfig,
  { type, method, wrapper }: HandlerMethod,
  contextId?: ContextId,
): FailureFilter | undefined {
  const bound: unknown[] = [
    ...config.getGlobalFilters(),
    ...(contextId ? config.getGlobalRequestFilters().map((each) => instanceOf(each, contextId)) : []),
    ...(Reflect.getMetadata(FILTERS, type) ?? []),
    ...(Reflect.getMetadata(FILTERS, type.prototype[method]) ?? []),
  ];
  const filters = bound
    .map((filter) => (typeof filter === 'function' ? injected(filter, wrapper, contextId) : filter))
    .filter((filter): filter is ExceptionFilter => typeof (filter as ExceptionFilter)?.catch === 'function')
    .reverse();
  return filters.length === 0 ? undefined : (error, args) => catchWith(filters, error, args);
}

async function catchWith(
  filters: readonly ExceptionFilter[],
  error: unknown,
  args: unknown[],
): Promise<unknown> {
  const filter = filters.find((each) => catches(each, error));
  if (!filter) throw error;
  const result = await filter.catch(error, new HandlerArgumentsHost(args));
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}

function catches(filter: ExceptionFilter, error: unknown): boolean {
  const types: Type[] = Reflect.getMetadata(CAUGHT, filter.constructor) ?? [];
  return types.length === 0 || types.some((type) => error instanceof type);
}

/** The instance that the container made of a filter's class, in the module of the handler. */
function injected(filter: Function, { host, id }: InstanceWrapper, contextId?: ContextId): unknown {
  const wrapper = host?.injectables.get(filter as Type);
  return wrapper && instanceOf(wrapper, contextId, id);
}

function instanceOf(wrapper: InstanceWrapper, contextId?: ContextId, inquirerId?: string): unknown {
  if (!contextId) return wrapper.instance;
  const info = { token: wrapper.token, isTreeDurable: wrapper.isDependencyTreeDurable() };
  const owner = contextId.getParent?.(info) ?? contextId;
  return wrapper.getInstanceByContextId(owner, inquirerId)?.instance;
}

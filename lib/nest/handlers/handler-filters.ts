import 'reflect-metadata';
import { type ExceptionFilter, Logger, type Type } from '@nestjs/common';
import type { ApplicationConfig, ContextId } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { errorLine } from '../../bus/options/bus-logger.js';
import { isFilterFault } from '../../errors/filter-fault.js';
import { isError } from '../../errors/is-error.js';
import { HandlerArgumentsHost } from './handler-arguments-host.js';
import type { HandlerMethod, InstanceWrapper } from './handler-explorer.js';

/** Nest's metadata: the filters of a class or method, and what a filter catches. */
const FILTERS = '__exceptionFilters__';
const CAUGHT = '__filterCatchExceptions__';

/** Shows a failure to the filters, and always throws: the failure itself, or what a filter threw on purpose. */
export type FailureFilter = (error: unknown, args: unknown[]) => Promise<never>;

/** Filters that have failed themselves are told of once. */
const told = new WeakSet<object>();
const logger = new Logger('DiscoBus');

/**
 * The exception filters of a method, the method's own first, then its class's, then global ones; `undefined` without any.
 * The first that catches the failure's type is shown it. A filter may report a failure and cannot undo it: a message that
 * failed is never acknowledged because a filter returned. An Error that it throws instead, other than by mistake, goes on in its
 * place.
 */
export function failureFilter(
  config: ApplicationConfig | undefined,
  { type, method, wrapper }: HandlerMethod,
  contextId?: ContextId,
): FailureFilter | undefined {
  const requestScoped = (contextId && config?.getGlobalRequestFilters()) ?? [];
  const bound: unknown[] = [
    ...(config?.getGlobalFilters() ?? []),
    ...requestScoped.map((each) => instanceOf(each, contextId)),
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
): Promise<never> {
  const filter = filters.find((each) => catches(each, error));
  try {
    const result = await filter?.catch(error, new HandlerArgumentsHost(args));
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
  } catch (thrown) {
    if (isError(thrown) && !isFilterFault(thrown)) throw thrown;
    if (isError(thrown) && thrown !== error) tellFault(filter as ExceptionFilter, thrown);
  }
  throw error;
}

function tellFault(filter: ExceptionFilter, thrown: unknown): void {
  if (told.has(filter.constructor)) return;
  told.add(filter.constructor);
  logger.error(
    `The filter ${filter.constructor.name} failed on a message handler, whose own error is kept: ${errorLine(thrown)}`,
  );
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

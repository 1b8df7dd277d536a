import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import {
  type DiscoSubscribeOptions,
  type SubscribeMetadata,
  subscriptionsOf,
} from './disco-subscribe.decorator.js';

/** A provider or controller as Nest's container holds it. */
export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A method with `@DiscoSubscribe` and the provider it belongs to. */
export interface HandlerMethod {
  readonly wrapper: InstanceWrapper;
  /** Of the module that the provider belongs to. */
  readonly moduleRef: ModuleRef;
  /** The class, for its metadata. */
  readonly type: Function;
  readonly method: string;
  /** The one instance, or undefined where a message or a consumer has its own. */
  readonly instance: object | undefined;
  /** `Class.method`, for logs and errors. */
  readonly label: string;
}

/** A {@link HandlerMethod} with one of its subscriptions, as it was declared. */
export interface SubscribedMethod extends HandlerMethod {
  readonly topic: string;
  readonly metadata: SubscribeMetadata;
}

/** A {@link HandlerMethod} with the options of one of its subscriptions. */
export interface FoundHandler extends HandlerMethod {
  readonly topic: string;
  readonly options: DiscoSubscribeOptions;
}

/** Finds the methods with `@DiscoSubscribe` on the providers and controllers of the application. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** Each once, in the order of the modules. */
  find(): SubscribedMethod[] {
    const seen = new Set<unknown>();
    const found: SubscribedMethod[] = [];
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const identity = hasOneInstance(wrapper) ? wrapper.instance : wrapper;
      if (wrapper.isAlias || seen.has(identity)) continue;
      seen.add(identity);
      for (const { handler, metadata } of this.methodsOf(wrapper)) {
        found.push({ ...handler, topic: metadata.topic, metadata });
      }
    }
    return found;
  }

  private *methodsOf(
    wrapper: InstanceWrapper,
  ): Generator<{ handler: HandlerMethod; metadata: SubscribeMetadata }> {
    const instance = hasOneInstance(wrapper) ? wrapper.instance : undefined;
    const prototype = instance ? Object.getPrototypeOf(instance) : prototypeOf(wrapper);
    if (!prototype || prototype === Object.prototype) return;
    const type: Function = prototype.constructor;
    for (const method of this.scanner.getAllMethodNames(prototype)) {
      for (const metadata of subscriptionsOf(prototype, method)) {
        const moduleRef = wrapper.host?.providers.get(ModuleRef)?.instance as ModuleRef;
        const label = `${type.name}.${method}`;
        yield { handler: { wrapper, moduleRef, type, method, instance, label }, metadata };
      }
    }
  }
}

/** Whether the container made one instance for everybody. */
function hasOneInstance(wrapper: InstanceWrapper): boolean {
  return (
    !wrapper.isTransient &&
    wrapper.isDependencyTreeStatic() &&
    typeof wrapper.instance === 'object' &&
    wrapper.instance !== null
  );
}

/** What a factory will make per message cannot be known beforehand: it has no prototype here. */
function prototypeOf(wrapper: InstanceWrapper): object | undefined {
  return wrapper.isNotMetatype ? undefined : (wrapper.metatype?.prototype ?? undefined);
}

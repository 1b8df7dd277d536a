import { Inject, type InjectionToken } from '@nestjs/common';
import { DiscoBusServer } from '../transport/disco-bus.server.js';
import { DiscoBusService } from './disco-bus.service.js';

/** The name of a bus that was given none. */
export const DEFAULT_BUS = 'default';

/** The token of a bus. The default one's is the class `DiscoBusService` itself, so that it is injected by its type. */
export function getDiscoBusToken(name: string = DEFAULT_BUS): InjectionToken<DiscoBusService> {
  return name === DEFAULT_BUS ? DiscoBusService : `DISCO_BUS:${name}`;
}

/** Injects the bus of that name. @default the default bus */
export function InjectDiscoBus(name: string = DEFAULT_BUS): ParameterDecorator & PropertyDecorator {
  return Inject(getDiscoBusToken(name));
}

/**
 * The token of the strategy that shares a bus: `app.connectMicroservice({ strategy: app.get(DiscoBusServer) })`. The default
 * bus's is the class `DiscoBusServer` itself.
 */
export function getDiscoBusServerToken(name: string = DEFAULT_BUS): InjectionToken<DiscoBusServer> {
  return name === DEFAULT_BUS ? DiscoBusServer : `DISCO_BUS_SERVER:${name}`;
}

/** Where the checked options of a bus are provided, for the parts of the Nest ring. */
export function optionsToken(name: string): string {
  return `DISCO_BUS_OPTIONS:${name}`;
}

/** Where a bus's entry in the registry is provided. */
export function entryToken(name: string): string {
  return `DISCO_BUS_ENTRY:${name}`;
}

/** Where the source of Prometheus sinks is provided, if there is one. */
export const METRICS_SOURCE = Symbol('DISCO_BUS_METRICS_SOURCE');

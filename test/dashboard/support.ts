import { randomUUID } from 'node:crypto';
import { type INestApplication, type ModuleMetadata } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { DiscoBusModule, type DiscoBusModuleOptions, DiscoBusService } from 'nestjs-disco-bus';
import { DiscoDashboardModule, type DiscoDashboardOptions } from 'nestjs-disco-bus/dashboard';

export const silent = { log: () => {}, warn: () => {}, error: () => {} };

/** What an application of the specs is made of. */
export interface Setup extends Pick<ModuleMetadata, 'providers'> {
  readonly bus?: DiscoBusModuleOptions;
  readonly dashboard?: DiscoDashboardOptions;
  readonly adapter?: AbstractHttpAdapter;
  readonly prepare?: (app: INestApplication) => void;
  /** Where the dashboard is. @default 'disco' */
  readonly at?: string;
}

/** What an action is sent with. */
export const own = { 'content-type': 'application/json', 'x-disco-dashboard': '1' };

const open: INestApplication[] = [];

export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((app) => app.close()));
}

/** An application that listens, and what asks its dashboard. */
export async function start({
  bus = {},
  dashboard,
  adapter,
  prepare,
  at = 'disco',
  providers = [],
}: Setup = {}) {
  const options: DiscoBusModuleOptions = {
    ...(bus.driver === undefined && { url: 'memory:' }),
    service: 'shop',
    prefix: `t${randomUUID()}`,
    logger: silent,
    defaults: { delivery: 'at-least-once' },
    ...bus,
  };
  const module = {
    module: class App {},
    imports: [DiscoBusModule.forRoot(options), DiscoDashboardModule.forRoot(dashboard)],
    providers,
  };
  const settings = { logger: false as const, abortOnError: false };
  const app: INestApplication = adapter
    ? await NestFactory.create(module, adapter, settings)
    : await NestFactory.create(module, settings);
  open.push(app);
  prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const root = `${(await app.getUrl()).replace('[::1]', '127.0.0.1')}/${at}`;
  const asked = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${root}/${path}`, { redirect: 'manual', ...init });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    };
  };
  const act = (action: string, body: unknown, headers: Record<string, string> = own) =>
    asked(`api/actions/${action}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { app, bus: app.get(DiscoBusService), root, get: (path: string) => asked(path), act };
}

import type { Server } from 'node:http';
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost, ModuleRef } from '@nestjs/core';
import { DASHBOARD_OPTIONS, type ResolvedDashboardOptions } from './dashboard-options.js';

/** The part of Nest's container that knows the global prefix; it is provided to nobody. */
interface NestContainer {
  readonly container?: { readonly applicationConfig?: { getGlobalPrefix?(): string } };
}

/** Says where the dashboard is, once the application listens. */
@Injectable()
export class BootLine implements OnApplicationBootstrap {
  private readonly logger = new Logger('DiscoDashboard');

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly moduleRef: ModuleRef,
    @Inject(DASHBOARD_OPTIONS) private readonly options: ResolvedDashboardOptions,
  ) {}

  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    if (typeof server?.once !== 'function') {
      this.logger.warn('The application has no HTTP server, so there is no dashboard');
      return;
    }
    server.once('listening', () => this.tell(server));
  }

  private tell(server: Server): void {
    const { path, readOnly, guards } = this.options;
    const config = (this.moduleRef as unknown as NestContainer).container?.applicationConfig;
    const prefix = (config?.getGlobalPrefix?.() ?? '').replace(/^\/+|\/+$/g, '');
    const where = [originOf(server), ...(prefix === '' ? [] : [prefix]), path, ''].join('/');
    const rights = readOnly ? 'looks only' : 'may change things';
    this.logger.log(`Dashboard at ${where}, ${rights}`);
    if (!readOnly && guards.length === 0)
      this.logger.warn('The dashboard may change things, and has no guards of its own');
  }
}

function originOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return address ?? '';
  const scheme = 'setSecureContext' in server ? 'https' : 'http';
  const isAny = ['::', '0.0.0.0', '::1', '127.0.0.1'].includes(address.address);
  const host = isAny ? 'localhost' : address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${scheme}://${host}:${address.port}`;
}

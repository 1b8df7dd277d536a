import { ServerResponse } from 'node:http';
import { Get, Inject, Logger, Post, Req, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { errorLine } from '../bus/options/bus-logger.js';
import { VERSION } from '../driver/package-version.js';
import { apiErrorOf, notFound } from './api-error.js';
import { actions, BusActions } from './bus-actions.js';
import { BusReader, looks } from './bus-reader.js';
import {
  DASHBOARD_OPTIONS,
  type DashboardRequest,
  type ResolvedDashboardOptions,
} from './dashboard-options.js';
import { GivenValues } from './given-values.js';
import { LiveOverview } from './live-overview.js';
import { type PageFile, pageFileOf, pageHeaders } from './page-file.js';
import { ShownBuses } from './shown-buses.js';
import { WriteAccess } from './write-access.js';

/** A response of Fastify. */
interface FastifyReply {
  readonly raw: ServerResponse;
  hijack(): void;
}

const apiHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

/**
 * Answers what the page asks for. It takes the request and the response as they are, so that no pipe, interceptor or
 * version of the application changes an answer; guards stand before it.
 */
export class DashboardController {
  private readonly logger = new Logger('DiscoDashboard');

  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(ShownBuses) private readonly buses: ShownBuses,
    @Inject(BusReader) private readonly reader: BusReader,
    @Inject(BusActions) private readonly actions: BusActions,
    @Inject(LiveOverview) private readonly live: LiveOverview,
    @Inject(WriteAccess) private readonly access: WriteAccess,
    @Inject(DASHBOARD_OPTIONS) private readonly options: ResolvedDashboardOptions,
  ) {}

  @Get('api/settings')
  settings(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    const { readOnly, payloads } = this.options;
    return this.answer(request, response, async () => {
      const buses = this.buses.names.map((name) => this.buses.told(this.buses.named(name)));
      return { readOnly, payloads, version: VERSION, buses };
    });
  }

  @Get('api/live')
  async stream(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    try {
      this.live.assertRoom();
    } catch (error) {
      return this.answer(request, response, () => Promise.reject(error));
    }
    this.live.add(this.rawOf(response));
  }

  @Get('api/:look')
  look(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    return this.answer(request, response, async () => {
      const name = lastOf(request);
      if (!Object.hasOwn(looks, name)) throw notFound(`There is no api/${name}; ${listed('api/', looks)}`);
      const look = looks[name];
      const given = GivenValues.ofQuery(addressOf(request), look.given);
      return look.read(this.reader, this.buses.named(given.optionalText('bus')), given);
    });
  }

  @Post('api/actions/:action')
  act(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    return this.answer(request, response, async () => {
      const by = await this.access.writer(request);
      const name = lastOf(request);
      if (!Object.hasOwn(actions, name)) throw notFound(`There is no action ${name}; ${listed('', actions)}`);
      const given = GivenValues.ofBody(request.body, actions[name].given);
      const entry = this.buses.named(given.optionalText('bus'));
      return actions[name].act(this.actions, { entry, given, by });
    });
  }

  /** Nest takes one slash off the end of a path: Fastify tells both addresses apart. */
  @Get(['', '//'])
  index(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    const [path, query = ''] = addressOf(request).split('?', 2);
    // The page's own addresses are relative to the slash.
    if (path.endsWith('/')) return this.page(response, pageFileOf('index.html'));
    const location = `./${lastOf(request)}/${query && `?${query}`}`;
    this.head(response, { ...pageHeaders, location });
    return this.send(response, '', 302);
  }

  @Get(':file')
  file(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    const [path] = addressOf(request).split('?', 1);
    const name = path.endsWith('/') ? 'index.html' : lastOf(request);
    const found = pageFileOf(name);
    if (found !== undefined) return this.page(response, found);
    return this.answer(request, response, () => Promise.reject(notFound('There is no such page')));
  }

  private page(response: unknown, file: PageFile | undefined): Promise<void> {
    if (file === undefined) return this.send(response, '', 404);
    this.head(response, { ...pageHeaders, 'content-type': file.type });
    return this.send(response, file.text, 200);
  }

  private async answer(
    request: DashboardRequest,
    response: unknown,
    work: () => Promise<object>,
  ): Promise<void> {
    let status = 200;
    let body: object;
    try {
      body = await work();
    } catch (error) {
      const failure = apiErrorOf(error);
      if (failure.status === 500) this.logger.error(`${pathOf(request)}: ${errorLine(error)}`);
      status = failure.status;
      body = failure.body;
    }
    this.head(response, apiHeaders);
    await this.send(response, JSON.stringify(body), status);
  }

  private head(response: unknown, headers: Readonly<Record<string, string>>): void {
    const { httpAdapter } = this.host;
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
  }

  private async send(response: unknown, body: string, status: number): Promise<void> {
    await this.host.httpAdapter.reply(response, body, status);
  }

  /** The response of Node. Fastify has to be told that it is written to. */
  private rawOf(response: unknown): ServerResponse {
    if (response instanceof ServerResponse) return response;
    const reply = response as FastifyReply;
    reply.hijack();
    return reply.raw;
  }
}

/** As the client wrote it. */
function addressOf({ originalUrl, url }: DashboardRequest): string {
  return originalUrl ?? url;
}

function pathOf(request: DashboardRequest): string {
  return `${request.method} ${addressOf(request).split('?', 1)[0]}`;
}

/** The last segment of the path. */
function lastOf(request: DashboardRequest): string {
  const [path] = addressOf(request).split('?', 1);
  return path.slice(path.lastIndexOf('/') + 1);
}

function listed(before: string, table: object): string {
  return `there are ${Object.keys(table)
    .map((name) => before + name)
    .join(', ')}`;
}

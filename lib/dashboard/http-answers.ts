import { ServerResponse } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { errorLine } from '../bus/options/bus-logger.js';
import { apiErrorOf, notFound } from './api-error.js';
import type { DashboardRequest } from './dashboard-options.js';
import { pageFileOf, pageHeaders } from './page-file.js';
import { pathOf } from './request-address.js';

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

/** Writes answers by the HTTP adapter of the application. A response is what the adapter made. */
@Injectable()
export class HttpAnswers {
  private readonly logger = new Logger('DiscoDashboard');

  constructor(private readonly host: HttpAdapterHost) {}

  /** Sends what `work` resolves with, in JSON, or what it rejects with. Never rejects for that. */
  async json(request: DashboardRequest, response: unknown, work: () => Promise<object>): Promise<void> {
    let status = 200;
    let body: object;
    try {
      body = await work();
    } catch (error) {
      const failure = apiErrorOf(error);
      if (failure.status === 500)
        this.logger.error(`${request.method} ${pathOf(request)}: ${errorLine(error)}`);
      status = failure.status;
      body = failure.body;
    }
    await this.send(response, { status, headers: apiHeaders, text: JSON.stringify(body) });
  }

  /** Sends a file of the page, or a 404 where it has none of that name. */
  async file(request: DashboardRequest, response: unknown, name: string): Promise<void> {
    const file = pageFileOf(name);
    if (file === undefined)
      return this.json(request, response, () => Promise.reject(notFound('There is no such page')));
    const headers = { ...pageHeaders, 'content-type': file.type };
    await this.send(response, { status: 200, headers, text: file.text });
  }

  async redirect(response: unknown, location: string): Promise<void> {
    await this.send(response, { status: 302, headers: { ...pageHeaders, location }, text: '' });
  }

  /** The response of Node. Fastify is told that somebody else writes to it. */
  rawOf(response: unknown): ServerResponse {
    if (response instanceof ServerResponse) return response;
    const reply = response as FastifyReply;
    reply.hijack();
    return reply.raw;
  }

  private async send(
    response: unknown,
    { status, headers, text }: { status: number; headers: Readonly<Record<string, string>>; text: string },
  ): Promise<void> {
    const { httpAdapter } = this.host;
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
    await httpAdapter.reply(response, text, status);
  }
}

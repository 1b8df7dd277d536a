import { Get, Inject, Post, Req, Res } from '@nestjs/common';
import { DashboardApi } from './dashboard-api.js';
import type { DashboardRequest } from './dashboard-options.js';
import { HttpAnswers } from './http-answers.js';
import { LiveOverview } from './live-overview.js';
import { addressOf, lastOf, pathOf } from './request-address.js';

/**
 * Answers what the page asks for. It takes the request and the response as they are, so that no pipe, interceptor or
 * version of the application changes an answer; guards stand before it.
 */
export class DashboardController {
  constructor(
    @Inject(HttpAnswers) private readonly answers: HttpAnswers,
    @Inject(DashboardApi) private readonly api: DashboardApi,
    @Inject(LiveOverview) private readonly live: LiveOverview,
  ) {}

  @Get('api/settings')
  settings(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    return this.answers.json(request, response, () => this.api.settings());
  }

  @Get('api/live')
  async stream(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    const full = this.live.refusal();
    if (full !== undefined) return this.answers.json(request, response, () => Promise.reject(full));
    this.live.add(this.answers.rawOf(response));
  }

  @Get('api/:look')
  look(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    return this.answers.json(request, response, () => this.api.look(request));
  }

  @Post('api/actions/:action')
  act(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    return this.answers.json(request, response, () => this.api.act(request));
  }

  /** Nest takes one slash off the end of a path: Fastify tells both addresses apart. */
  @Get(['', '//'])
  index(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    // The page's own addresses are relative to the slash.
    if (pathOf(request).endsWith('/')) return this.answers.file(request, response, 'index.html');
    const [, query] = addressOf(request).split('?', 2);
    const location = `./${lastOf(request)}/${query === undefined ? '' : `?${query}`}`;
    return this.answers.redirect(response, location);
  }

  @Get(':file')
  file(@Req() request: DashboardRequest, @Res() response: unknown): Promise<void> {
    return this.answers.file(request, response, lastOf(request));
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { ApiError } from './api-error.js';
import {
  DASHBOARD_OPTIONS,
  type DashboardRequest,
  type ResolvedDashboardOptions,
} from './dashboard-options.js';

/** The header that a form of another site cannot send. */
export const DASHBOARD_HEADER = 'x-disco-dashboard';

const forbidden = (code: string, message: string) => new ApiError(403, code, message);

/** Decides whether a request may change anything. */
@Injectable()
export class WriteAccess {
  constructor(@Inject(DASHBOARD_OPTIONS) private readonly options: ResolvedDashboardOptions) {}

  /** Who sent it. Throws a 403 where nothing may be changed, or the request may have been made by another site; a 415 for what is no JSON. */
  async writer(request: DashboardRequest): Promise<string> {
    if (this.options.readOnly)
      throw forbidden('READ_ONLY', 'This dashboard only looks: its option readOnly is not false');
    this.assertOwnSite(request);
    const type = headerOf(request, 'content-type') ?? '';
    if (!/^application\/json\s*(;|$)/i.test(type))
      throw new ApiError(415, 'NOT_JSON', 'An action takes a body of the type application/json');
    return this.named(request);
  }

  private assertOwnSite(request: DashboardRequest): void {
    if (headerOf(request, DASHBOARD_HEADER) !== '1')
      throw forbidden('CROSS_SITE', `An action needs the header ${DASHBOARD_HEADER}: 1`);
    const site = headerOf(request, 'sec-fetch-site');
    if (site === 'same-origin') return;
    const origin = headerOf(request, 'origin');
    if (origin !== undefined && this.options.origins.includes(origin)) return;
    if (site !== undefined)
      throw forbidden('CROSS_SITE', `An action must come from the dashboard's own page, not ${site}`);
    // Browsers leave sec-fetch-site out on plain http; programs send neither.
    if (origin === undefined || hostOf(origin) === headerOf(request, 'host')) return;
    throw forbidden(
      'CROSS_SITE',
      `An action must come from the dashboard's own origin, or one of its option origins`,
    );
  }

  private async named(request: DashboardRequest): Promise<string> {
    const who = await this.options.who(request);
    if (typeof who === 'string' && who.trim() !== '') return who.slice(0, 200);
    throw forbidden('NOBODY', 'Nobody is named for this action: audit.who gave no name');
  }
}

function headerOf({ headers }: DashboardRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

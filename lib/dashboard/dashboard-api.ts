import { Injectable } from '@nestjs/common';
import { notFound } from './api-error.js';
import { actions, BusActions } from './bus-actions.js';
import { BusReader, looks } from './bus-reader.js';
import type { DashboardRequest } from './dashboard-options.js';
import { GivenValues } from './given-values.js';
import { addressOf, lastOf } from './request-address.js';
import { ShownBuses } from './shown-buses.js';
import { WriteAccess } from './write-access.js';

/** What stands behind the addresses of the API. Whatever is wrong rejects with what `apiErrorOf` knows. */
@Injectable()
export class DashboardApi {
  constructor(
    private readonly buses: ShownBuses,
    private readonly reader: BusReader,
    private readonly actions: BusActions,
    private readonly access: WriteAccess,
  ) {}

  async settings(): Promise<object> {
    return this.reader.settings();
  }

  /** The look that the last segment of the path names. */
  async look(request: DashboardRequest): Promise<object> {
    const { given: known, read } = namedIn(looks, 'api/', lastOf(request));
    const given = GivenValues.ofQuery(addressOf(request), known);
    return read(this.reader, this.buses.named(given.optionalText('bus')), given);
  }

  /** The action that the last segment of the path names, where the request may change anything. */
  async act(request: DashboardRequest): Promise<object> {
    const by = await this.access.writer(request);
    const { given: known, act } = namedIn(actions, 'api/actions/', lastOf(request));
    const given = GivenValues.ofBody(request.body, known);
    return act(this.actions, { entry: this.buses.named(given.optionalText('bus')), given, by });
  }
}

function namedIn<Entry>(table: Readonly<Record<string, Entry>>, before: string, name: string): Entry {
  if (Object.hasOwn(table, name)) return table[name];
  const known = Object.keys(table).map((each) => before + each);
  throw notFound(`There is no ${before}${name.slice(0, 60)}; there are ${known.join(', ')}`);
}

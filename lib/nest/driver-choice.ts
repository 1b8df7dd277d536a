import type { DiscoDriver } from '../driver/driver.js';
import { driverOfUrl } from '../drivers/driver-of-url.js';
import type { DiscoBusFactoryOptions } from './module-options.js';

/** The driver that the options name. Throws ConfigurationError, which never quotes the URL, as it may hold a password. */
export async function chooseDriver({ driver, url }: DiscoBusFactoryOptions): Promise<DiscoDriver> {
  return driver ?? driverOfUrl(url);
}

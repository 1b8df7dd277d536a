import type { DeliveryGuarantee, GuaranteeCapabilities } from '../../driver/capabilities.js';
import type { DiscoDriver } from '../../driver/driver.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import type { Wire } from './wire.js';

/** What the driver can do under `delivery`. Throws ConfigurationError where it offers neither that nor what `wire` needs. */
export function offered(driver: DiscoDriver, delivery: DeliveryGuarantee, wire: Wire): GuaranteeCapabilities {
  const capabilities = driver.capabilities[delivery];
  if (!capabilities) throw new ConfigurationError(`The driver "${driver.name}" does not offer ${delivery}`);
  if (wire.bare && !capabilities.bare) {
    throw new ConfigurationError(
      `The driver "${driver.name}" has no bare names, which the wire '${wire.name}' needs`,
    );
  }
  return capabilities;
}

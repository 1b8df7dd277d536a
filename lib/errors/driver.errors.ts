import { DiscoBusError } from './disco-bus-error.js';

/** What to say of a {@link DriverError} beside its text. */
export interface DriverErrorOptions extends ErrorOptions {
  /** Whether the same call may succeed later unchanged. @default true */
  retryable?: boolean;
}

/** The driver's server refused or failed a command. `cause` is a copy of the server's error without its arguments. */
export class DriverError extends DiscoBusError {
  readonly code = 'DISCO_DRIVER';
  override readonly retryable: boolean;

  constructor(message: string, options: DriverErrorOptions = {}) {
    super(message, options);
    this.retryable = options.retryable ?? true;
  }
}

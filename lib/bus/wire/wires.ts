import type { Codec } from '../../codec/codec.js';
import { GoCodec } from '../../codec/go.codec.js';
import type { WireName } from '../../contract/topic-options.js';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { Clock } from '../../timing/clock.js';
import { DiscoWire } from './disco-wire.js';
import { GoWire } from './go-wire.js';
import type { Wire } from './wire.js';

/** What the wires of a bus are made of. */
export interface WireParts {
  /** Of Disco frames: complete, compression included, by how they are published. */
  readonly codecs: Readonly<Record<DeliveryGuarantee, Codec>>;
  /** The bus's codec as it was given. */
  readonly payloadCodec: Codec;
  /** gzip's level on the Go wire. */
  readonly goLevel: number | undefined;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
}

/** The wires of a bus, each made when it is first asked for. */
export class Wires {
  private readonly disco: Wire;
  private go?: Wire;

  constructor(private readonly parts: WireParts) {
    this.disco = new DiscoWire(parts.codecs, parts.maxMessageBytes);
  }

  /** Throws ConfigurationError where the bus's codec is not fit for the Go wire. */
  of(name: WireName): Wire {
    if (name === 'disco') return this.disco;
    this.go ??= this.makeGo();
    return this.go;
  }

  private makeGo(): Wire {
    const { payloadCodec, goLevel: level, maxMessageBytes: maxBytes, clock } = this.parts;
    return new GoWire(new GoCodec(payloadCodec, { level, maxBytes }), clock);
  }
}

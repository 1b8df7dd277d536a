import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate of this machine's own, signed by itself, with its key, in files. */
export class SelfSigned {
  private constructor(private readonly directory: string) {}

  static make(): SelfSigned {
    const made = new SelfSigned(mkdtempSync(join(tmpdir(), 'disco-tls-')));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    const files = ['-keyout', made.file('key.pem'), '-out', made.file('cert.pem')];
    execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...subject], { stdio: 'ignore' });
    return made;
  }

  get cert(): string {
    return this.file('cert.pem');
  }

  get key(): string {
    return this.file('key.pem');
  }

  /** What a client trusts to know the server. */
  get ca(): Buffer {
    return readFileSync(this.cert);
  }

  /** Where a file of this name would be, beside the certificate. */
  file(name: string): string {
    return join(this.directory, name);
  }

  /** The directives of a Redis or Sentinel that has it, each with its value. Clients need no certificate. */
  directives(): [string, string][] {
    return [
      ['tls-cert-file', this.cert],
      ['tls-key-file', this.key],
      ['tls-ca-cert-file', this.cert],
      ['tls-auth-clients', 'no'],
    ];
  }

  /** The same as arguments of a redis-server, with the port on which it speaks TLS. */
  args(port: number): string[] {
    return [
      '--tls-port',
      String(port),
      ...this.directives().flatMap(([name, value]) => [`--${name}`, value]),
    ];
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// What the newer servers are unpacked from: packages of Debian for x86-64, by version and SHA-256, as of November 2026.
// To renew one: take its line from `apt-get --print-uris download <package>` on Debian unstable (or experimental).

/** Debian's mirror keeps the newest version of a package only; the archive of snapshots keeps them all. */
export const mirrors = [
  'https://deb.debian.org/debian',
  'https://snapshot.debian.org/archive/debian/20261127T000000Z',
];

/** A server's binary is one for all its tools; its first argument, argv[0], tells which. */
export const servers = [
  {
    name: 'Redis',
    version: '8.6.3',
    program: 'usr/bin/redis-check-rdb',
    argv0: 'redis-server',
    path: 'pool/main/r/redis/redis-tools_8.6.3-1_amd64.deb',
    sha256: '73040dfd39fe55e0b9138d3b064f78ad5e23e8a06cb3f68c0b8347243e1608e8',
  },
  {
    name: 'Valkey',
    version: '9.1.2',
    program: 'usr/bin/valkey-check-rdb',
    argv0: 'valkey-server',
    path: 'pool/main/v/valkey/valkey-tools_9.1.2-1_amd64.deb',
    sha256: '466ee9a2726e22f4ba8d6d71b0e3ba742d669c9141baac2c09c5f32b76695286',
  },
];

/** What both are linked with, the C library included: this machine's may be older than the servers need. */
export const libraries = [
  {
    path: 'pool/main/g/glibc/libc6_2.43-7_amd64.deb',
    sha256: '5c71715c51103beb4fbba9fe9f8dff604af6610dfa71c70bff342f54a7860803',
  },
  {
    path: 'pool/main/g/gcc-16/libatomic1_16.2.0-4_amd64.deb',
    sha256: 'dbdb5dc514ef881926ff4958d2c312d4fd29f0cc68c8ecb763e9138de338030e',
  },
  {
    path: 'pool/main/g/gcc-16/libgcc-s1_16.2.0-4_amd64.deb',
    sha256: 'd251ea642c3795e8723ac2b9eeebe511467ca04590ba70f3d555a7616787d7e3',
  },
  {
    path: 'pool/main/g/gcc-16/libstdc++6_16.2.0-4_amd64.deb',
    sha256: 'cef6654bba1daece0bc0dbe0e3f69fa5a26eb6ba139f3536e6f4806bd787f3e7',
  },
  {
    path: 'pool/main/j/jemalloc/libjemalloc2_5.3.1-2_amd64.deb',
    sha256: '115b797f5a25d70cbe81373c9f1cce78536ed2a8a6d9dd5a061682a2340a25df',
  },
  {
    path: 'pool/main/libc/libcap2/libcap2_2.78-1+b1_amd64.deb',
    sha256: 'ded957f0dd933e80a3cbbc3a920cb66a3d683f7e2ba2ddd77008f9f02744dcd9',
  },
  {
    path: 'pool/main/libl/liblzf/liblzf1_3.6-4+b4_amd64.deb',
    sha256: '92a2fa60117fddfdfbb1dcff83e62f271d7f243dbc172ff0e5252df941f34dcd',
  },
  {
    path: 'pool/main/libz/libzstd/libzstd1_1.5.7+dfsg-4_amd64.deb',
    sha256: '93e7930e4c25b918f1dd980cc1c6d4487654a248f5fa71eacb976ed7bbe954bd',
  },
  {
    path: 'pool/main/l/lua5.1/liblua5.1-0_5.1.5-12_amd64.deb',
    sha256: '4fd34718a792dc4fce675561c4b84b8b104bb0c2eff27943b53eba06188ade63',
  },
  {
    path: 'pool/main/o/openssl/libssl3t64_3.6.5-1_amd64.deb',
    sha256: '0a0ec84fe860c5c93c74d53cbb071aea0793327a3761b483080e9d7b73c21b37',
  },
  {
    path: 'pool/main/s/systemd/libsystemd0_262.1-1_amd64.deb',
    sha256: '7fc74653ff64a71e97e0d6d7c0cbb195a62ec0d3a13a7263dd37369494dfcc42',
  },
];

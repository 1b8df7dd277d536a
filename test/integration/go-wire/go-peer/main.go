// Speaks to Redis as the Go library Disco Bus does, with the standard library alone. Arguments: address, command, and
//
//	publish topic            what stands on standard input, as one message; prints how many received it
//	subscribe topic count    prints "subscribed", then each message in hex, then ends
//	lock key ms              SET key "lock" NX PX ms; prints true or false
//	unlock key               deletes the key if it holds "lock"; prints 1 or 0
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
)

const unlockScript = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) else return 0 end`

type redisConnection struct {
	net.Conn
	reader *bufio.Reader
}

func dial(address string) *redisConnection {
	conn, err := net.Dial("tcp", address)
	must(err)
	return &redisConnection{conn, bufio.NewReader(conn)}
}

func (c *redisConnection) send(args ...string) {
	var command bytes.Buffer
	fmt.Fprintf(&command, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	_, err := c.Write(command.Bytes())
	must(err)
}

// receive reads one reply: a string, an integer as text, nil, or a slice of these.
func (c *redisConnection) receive() interface{} {
	line, err := c.reader.ReadString('\n')
	must(err)
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '-':
		log.Fatal(text)
	case '$':
		return c.bulk(number(text))
	case '*':
		values := make([]interface{}, number(text))
		for i := range values {
			values[i] = c.receive()
		}
		return values
	}
	return text
}

func (c *redisConnection) bulk(length int) interface{} {
	if length < 0 {
		return nil
	}
	body := make([]byte, length+2)
	_, err := io.ReadFull(c.reader, body)
	must(err)
	return string(body[:length])
}

func (c *redisConnection) call(args ...string) interface{} {
	c.send(args...)
	return c.receive()
}

func compress(plain []byte) string {
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	must(err)
	_, err = writer.Write(plain)
	must(err)
	must(writer.Close())
	return compressed.String()
}

func decompress(payload string) []byte {
	if len(payload) < 2 || payload[0] != 0x1f || payload[1] != 0x8b {
		return []byte(payload)
	}
	reader, err := gzip.NewReader(bytes.NewReader([]byte(payload)))
	must(err)
	plain, err := io.ReadAll(reader)
	must(err)
	return plain
}

func subscribe(c *redisConnection, topic string, count int) {
	c.call("SUBSCRIBE", topic)
	fmt.Println("subscribed")
	for i := 0; i < count; i++ {
		message := c.receive().([]interface{})
		fmt.Println(hex.EncodeToString(decompress(message[2].(string))))
	}
}

func main() {
	log.SetFlags(0)
	c, args := dial(os.Args[1]), os.Args[2:]
	switch args[0] {
	case "publish":
		plain, err := io.ReadAll(os.Stdin)
		must(err)
		fmt.Println(c.call("PUBLISH", args[1], compress(plain)))
	case "subscribe":
		subscribe(c, args[1], number(args[2]))
	case "lock":
		fmt.Println(c.call("SET", args[1], "lock", "NX", "PX", args[2]) == "OK")
	case "unlock":
		fmt.Println(c.call("EVAL", unlockScript, "1", args[1], "lock"))
	default:
		log.Fatalf("unknown command %q", args[0])
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Package foreign tests what other people's programs see of Syncline: stock clients, in a language of their own, against our
// topics and against the embedded registry.
//
//   - consumer.py is a whole consumer on the clients that Python programs use. docs/wire.md describes what it relies on.
//   - registry_client.py goes through the API of a schema registry with Confluent's client.
package foreign

// The program that answers an HTTP-01 challenge, with the options that cert-manager gives it.
package main

import (
	"flag"
	"log"

	"github.com/go-logr/logr"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
)

func main() {
	var answers solver.HTTP01Solver
	flag.IntVar(&answers.ListenPort, "listen-port", 8089, "port of the challenge")
	flag.StringVar(&answers.Domain, "domain", "", "host of the challenge")
	flag.StringVar(&answers.Token, "token", "", "token of the challenge")
	flag.StringVar(&answers.Key, "key", "", "answer to the challenge")
	flag.Parse()
	log.Fatal(answers.Listen(logr.Discard()))
}

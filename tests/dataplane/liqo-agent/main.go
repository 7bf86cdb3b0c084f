// Command liqo-agent applies FirewallConfigurations to the kernel with the reconciler of Liqo's own agent.
//
// Each line of its input is a JSON list of specs: the versions of one object, of which the first is created and the others
// are edits. For each version it prints, as one JSON list on a line, what the reconciler said, the rules that the kernel has
// then, and those that it has when the same version is applied where nothing is. It writes to the nftables of the network
// namespace that it is started in, and must not know what a ruleset is expected to be.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	networkingv1beta1 "github.com/liqotech/liqo/apis/networking/v1beta1"
	"github.com/liqotech/liqo/pkg/firewall"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var key = types.NamespacedName{Namespace: "liqo-tenant-milan", Name: "milan-connectivity"}

// rule is a rule in the kernel: its comment, and its expressions as netlink attributes.
type rule struct {
	Name        string `json:"name"`
	Expressions string `json:"expressions"`
}

// outcome is what became of one version: what the reconciler said, and the rules of its chain, edited and alone.
type outcome struct {
	Error string `json:"error"`
	Rules []rule `json:"rules"`
	Alone []rule `json:"alone"`
}

// agent is the reconciler with a cluster that holds one object.
type agent struct {
	cluster    client.Client
	reconciler *firewall.FirewallConfigurationReconciler
}

func main() {
	klog.LogToStderr(false)
	klog.SetOutput(nothing{})
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type nothing struct{}

func (nothing) Write(text []byte) (int, error) { return len(text), nil }

func run() error {
	kernel, err := nftables.New()
	if err != nil {
		return err
	}
	one, err := newAgent()
	if err != nil {
		return err
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<28)
	output := json.NewEncoder(os.Stdout)
	for input.Scan() {
		var versions []networkingv1beta1.FirewallConfigurationSpec
		if err := json.Unmarshal(input.Bytes(), &versions); err != nil {
			return err
		}
		edited, err := one.applied(kernel, versions)
		if err != nil {
			return err
		}
		for number := range versions {
			alone, err := one.applied(kernel, versions[number:number+1])
			if err != nil {
				return err
			}
			edited[number].Alone = alone[0].Rules
		}
		if err := output.Encode(edited); err != nil {
			return err
		}
	}
	return input.Err()
}

// applied applies versions of one object, one after the other, to a kernel without rules.
func (one *agent) applied(kernel *nftables.Conn, versions []networkingv1beta1.FirewallConfigurationSpec) ([]outcome, error) {
	kernel.FlushRuleset()
	if err := kernel.Flush(); err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(versions))
	for number := range versions {
		if err := one.store(versions[number], number == 0); err != nil {
			return nil, err
		}
		if _, err := one.reconciler.Reconcile(context.Background(), ctrl.Request{NamespacedName: key}); err != nil {
			outcomes[number].Error = err.Error()
		}
		listed, err := rules(kernel)
		if err != nil {
			return nil, err
		}
		outcomes[number].Rules = listed
	}
	return outcomes, nil
}

func newAgent() (*agent, error) {
	scheme := runtime.NewScheme()
	if err := networkingv1beta1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	cluster := fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&networkingv1beta1.FirewallConfiguration{}).Build()
	reconciler, err := firewall.NewFirewallConfigurationReconcilerWithoutFinalizer(
		cluster, scheme, "fabric", &record.FakeRecorder{}, nil)
	return &agent{cluster, reconciler}, err
}

func (one *agent) store(spec networkingv1beta1.FirewallConfigurationSpec, first bool) error {
	object := &networkingv1beta1.FirewallConfiguration{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
	}
	if first {
		if err := client.IgnoreNotFound(one.cluster.Delete(context.Background(), object)); err != nil {
			return err
		}
		object.Spec = spec
		return one.cluster.Create(context.Background(), object)
	}
	if err := one.cluster.Get(context.Background(), key, object); err != nil {
		return err
	}
	object.Spec = spec
	return one.cluster.Update(context.Background(), object)
}

// rules lists the rules of all chains of the kernel; an object here has one chain.
func rules(kernel *nftables.Conn) ([]rule, error) {
	chains, err := kernel.ListChains()
	if err != nil {
		return nil, err
	}
	found := []rule{}
	for _, chain := range chains {
		listed, err := kernel.GetRules(chain.Table, chain)
		if err != nil {
			return nil, err
		}
		for _, each := range listed {
			name, _ := userdata.GetString(each.UserData, userdata.TypeComment)
			text := ""
			for _, expression := range each.Exprs {
				data, err := expr.Marshal(byte(chain.Table.Family), expression)
				if err != nil {
					return nil, err
				}
				text += hex.EncodeToString(data) + " "
			}
			found = append(found, rule{name, text})
		}
	}
	return found, nil
}
